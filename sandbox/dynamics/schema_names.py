"""The schema names of the vendor's own columns, in its case (CE and PAD: reference of tables)."""

from __future__ import annotations

_NAMES = """
    AccountId AccountNumber ActivityId ActivityPartyId ActualEnd ActualStart Address1_City
    Address1_Composite Address1_Country Address1_Line1 Address1_PostalCode Address1_StateOrProvince
    AddressUsed ApplicationId AzureActiveDirectoryObjectId BirthDate BudgetedCost BusinessUnitId
    CampaignId ChannelTypeCode CodeName CompanyName ContactId Cost CreatedBy CreatedFromCode
    CreatedOn CreatedOnBehalfBy CurrencyName CurrencyPrecision CurrencySymbol CustomerId
    CustomerTypeCode CustomizationOptionValuePrefix CustomizationPrefix Department Description
    DoNotBulkEMail DoNotBulkPostalMail DoNotEMail DoNotFax DoNotPhone DoNotPostalMail DoNotSendMM
    DoNotSendOnOptOut DomainName EMailAddress1 EMailAddress2 EMailAddress3 EmailAddress EntityId
    EntityIdTypeCode EntityType EstimatedValue ExcludeIfContactedInXDays
    ExpireChangeTrackingInDays ExpireSubscriptionsInDays ExpectedResponse ExpectedRevenue
    ExternalUserIdentifier Customer Fax FirstName FollowEmail From FriendlyName FullName GenderCode
    IgnoreInactiveListMembers ImportSequenceNumber IncidentId IndustryCode InternalEMailAddress
    ISOCurrencyCode IsDisabled IsManaged IsTemplate JobTitle LastName LastUsedInCampaign LastUsedOn
    LeadId LeadQualityCode LeadSourceCode ListId ListMemberId ListName LockStatus MarketingOnly
    MasterId MemberCount MemberType Merged Message MiddleName MobilePhone ModifiedBy ModifiedOn
    ModifiedOnBehalfBy Name NickName NumberOfEmployees Objective OpportunityId OrganizationId
    OriginatingActivityId OriginatingCaseId OriginatingLeadId OtherCost OverriddenCreatedOn OwnerId
    OwningBusinessUnit ParentAccountId ParentContactId ParentCustomerId ParticipationTypeMask
    Partner Partners PartyId PartyIdName PreferredContactMethodCode PrimaryContactId
    PrimaryObjectTypeCode
    PromotionCodeName ProposedEnd ProposedStart PublisherId Purpose QualifyingOpportunityId Query
    ReceivedOn RegardingObjectId RelatedObjectId ResponseCode Revenue SIC Salutation ScheduledEnd
    ScheduledStart SdkMessageFilterId SdkMessageId SolutionId Source StateCode StatusCode Subject
    Suffix SystemUserId TeamId Telephone Telephone1 Telephone2 Telephone3 Title TotalActualCost
    TransactionCurrencyId Type TypeCode UniqueName Version VersionNumber WebSiteUrl
    processFetchXML processedMemberCount
"""
_BY_NAME = {name.lower(): name for name in _NAMES.split()}


def schema_name(name: str) -> str:
    """Return the schema name of a column of the vendor's.

    Those of its later solutions, such as `msdyn_gdproptout`, are in lower case.
    """
    return _BY_NAME.get(name, name)
